"""What is said of a book's Japanese prose: its terms, its register, its forms, its signs. No tokenizer is needed.

Every rule is a function of a `Passage`, a paragraph as readers see it, in which code, formulas, references and
addresses are masked; it says what it finds on the line where it is. `rules` lists them.
"""
