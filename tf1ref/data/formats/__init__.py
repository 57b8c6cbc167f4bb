"""Readers and writers of file formats: idx, TFRecord, folders of pictures by class, CIFAR-10's pickles."""
