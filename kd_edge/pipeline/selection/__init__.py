"""Several students and a rule: who answers, how the rule is fitted, and what it gives."""
