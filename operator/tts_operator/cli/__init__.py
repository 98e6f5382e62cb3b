"""The kubectl plugin: `kubectl tts status | promote | abort | undo | pause | resume | history | diff | job`.

It makes every request by running kubectl. It imports almost nothing else of the operator, so that it starts quickly.
"""
