"""Domain: the rules, as pure functions over Ibis expressions and plain values. No effects, no clients."""
