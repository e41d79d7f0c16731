"""Appointments by text: services, opening hours, seats, and a calendar feed. Built on the public hooks alone."""

from replyline.plugins.appointments.opening_hours import BadAppointments
from replyline.plugins.appointments.plugin import Appointments
from replyline.plugins.appointments.service import Service

__all__ = ["Appointments", "BadAppointments", "Service"]
