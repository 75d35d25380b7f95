"""Emulated hardware that speaks the genuine protocols over one physics."""
