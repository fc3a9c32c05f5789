"""Edits: how much a person changed a text."""


def edit_distance(before: str, after: str) -> float:
    """The share of words that were added, removed or replaced: 0 for the same words, 1 for none in common."""
    old, new = before.split(), after.split()
    longest = max(len(old), len(new))
    if old == new:
        return 0.0
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    costs = list(range(len(new) + 1))
    for row, word in enumerate(old, 1):
        previous, costs[0] = costs[0], row
        for column, other in enumerate(new, 1):
            previous, costs[column] = (
                costs[column],
                min(costs[column] + 1, costs[column - 1] + 1, previous + (word != other)),
            )
    return costs[-1] / longest
