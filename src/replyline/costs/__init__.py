"""WHAT IT COST: every text, picture and answer of the model, estimated at once and corrected by Twilio's own price."""
