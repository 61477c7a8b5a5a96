"""What comes from outside is bounded here before it is read or built.

A file of somebody else may be cut, damaged or made to hurt: larger than the memory, nested without
end, a small file that unpacks to a huge one, a shape that no machine can hold. Each kind has its
module; `limits` has the numbers, and what lifts them.
"""
