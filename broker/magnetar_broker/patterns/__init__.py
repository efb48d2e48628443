"""Regular expressions from clients, matched in a time that no pattern can drive up."""
