"""Agents: what works customer by customer, over tools and language models, inside declared limits."""
