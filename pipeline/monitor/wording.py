"""Format shares and probabilities in sentences about a window."""

LEAST_TOLD = 0.0001  # smaller probabilities are reported as less than this


def p_in_words(p_value: float) -> str:
    """Format a probability, such as "p = 0.34", "p = 0.0002" or "p < 0.0001"."""
    if p_value < LEAST_TOLD:
        return "p < 0.0001"
    if p_value > 0.99:  # noqa: PLR2004 - which rounds to a certainty
        return "p > 0.99"
    return f"p = {p_value:.2f}" if p_value >= 0.01 else f"p = {p_value:.1g}"  # noqa: PLR2004


def shares_in_words(before: float, now: float) -> str:
    """Format a change of a share, such as "7 → 13%", with enough decimals to differ."""
    for decimals in range(4):
        told = [f"{100 * share:.{decimals}f}" for share in (before, now)]
        zero = any(
            float(one) == 0 and share for one, share in zip(told, (before, now), strict=True)
        )
        if told[0] != told[1] and not zero:
            break
    return f"{told[0]} → {told[1]}%"
