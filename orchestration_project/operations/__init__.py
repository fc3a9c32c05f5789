"""Operations: the transactional store of what people decide and of what leaves the system."""
