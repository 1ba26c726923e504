"""What-if: scenarios of dated actions, applied to a case, compared, swept and played week by week."""
