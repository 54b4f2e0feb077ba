"""A page of HTML that shows a model, a run, a build or a search, whole and offline."""
