"""Finding a model that fits a part: resource knowledge, filtering, ranking."""
