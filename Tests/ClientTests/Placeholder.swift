// filled by the next merge
