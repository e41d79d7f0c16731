"""May it leave, now?"""
