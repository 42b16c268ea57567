"""CONSUME → LAND: records of the stream become rows of the table `landed`, each exactly once."""
