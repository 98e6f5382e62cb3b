"""Speech over a WebSocket: text streamed in, audio streamed out."""
