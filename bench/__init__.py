"""What Replyline costs, measured side by side with a bare server: `make bench`."""
