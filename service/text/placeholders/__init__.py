"""What a translation must keep as it is in its source: found, hidden from the network, and put back."""
