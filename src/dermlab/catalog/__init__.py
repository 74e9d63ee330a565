"""catalog: who and what, apart from pixels: patient, label, split and answers of every image, and which objects are wanted."""
