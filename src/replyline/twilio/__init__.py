"""The only code that knows Twilio's wire."""
