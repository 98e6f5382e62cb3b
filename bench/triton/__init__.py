"""The server with its networks in a real Triton, compared with the same networks in the server itself."""
