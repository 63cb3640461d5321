"""Loads models and uses their parts: prompt encoder, initial latents, decoder."""
