"""The parts of `vitprof.gate`: budgets, what they are judged by, and the reports."""
