"""Finding the model that fits a part and errs least: candidates, selection, verification."""
