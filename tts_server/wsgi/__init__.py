"""The WSGI application, the gunicorn server that runs it, and its worker."""
