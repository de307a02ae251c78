"""Programs with a memory: sessions."""
