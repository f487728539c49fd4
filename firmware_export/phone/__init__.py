"""The plain-C engine for phones and browsers: a recogniser with a small C interface."""
