"""The laptop's end of the serial link: frames, requests in flight, a board as an object."""
