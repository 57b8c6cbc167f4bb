"""Small networks that fit curves and draw boundaries."""
