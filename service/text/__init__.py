"""Text becomes ids here and nowhere else; training and serving share this room."""
