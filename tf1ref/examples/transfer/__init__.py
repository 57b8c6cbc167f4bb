"""What a network has learnt from other pictures, put to use on one's own."""
