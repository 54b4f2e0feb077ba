"""A model, its design, its build and its proof in one file that another machine checks."""
