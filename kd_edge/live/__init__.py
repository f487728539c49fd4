"""What a board or a live source streams, while it does: answered, shown, recorded, corrected."""
