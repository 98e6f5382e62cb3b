"""The kubectl plugin: `kubectl tts status | promote | abort | undo | pause | resume | history | diff`.

It makes every request by running kubectl, and imports no other part of the operator, so that it starts at once.
"""
