"""
What cloning an application costs, and what clients notice of kills, restarts and takeovers.
"""
