"""What NumPy, SciPy, Pillow, pandas, matplotlib, scikit-learn and Python removed. Only the program's files get it
back.

Names of modules come back through views (views.py), so installed packages still see the modules as they are.
Methods of objects, such as `array.tostring()`, come back through the text of the program's files (syntax.py,
methods.py).
"""
