"""The kubectl plugin `kubectl tts`.

It makes every request by running kubectl. A command imports what it needs when it runs, so that each starts quickly.
"""
