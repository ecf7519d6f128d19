"""What the commands share: options, texts from files and pipes, output."""
