"""Floor 3: the plan, what it resolves to, and what it costs."""
