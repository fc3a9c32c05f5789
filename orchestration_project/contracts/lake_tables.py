"""tmp"""
from collections import defaultdict
LAKE_TABLES = defaultdict(tuple)
