"""From a text to chapters, and to the segments that are spoken."""
