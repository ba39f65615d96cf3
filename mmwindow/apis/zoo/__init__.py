"""Making the models of the zoo: training, weights in half precision, cards, check sums."""
