"""From characters to words to rows: training and inference read words here and nowhere else."""
