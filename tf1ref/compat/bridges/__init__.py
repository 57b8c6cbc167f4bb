"""What NumPy, SciPy, Pillow, pandas, matplotlib, scikit-learn and Python took away, for a program's own files alone.

Names of modules are given back by views (views.py): installed packages go on seeing the modules as they are. What sits
in objects, such as `array.tostring()`, is given back in the text of the program's files (syntax.py, methods.py).
"""
