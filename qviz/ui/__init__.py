"""Floor 7: the window. Widgets that draw frozen views and call the Session; no logic."""
