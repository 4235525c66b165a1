"""The character-RNN tutorial: names of two languages, one letter after the other, updated by hand."""

import random
import string

import torch
import torch.nn as nn

all_letters = string.ascii_lowercase + " "
n_letters = len(all_letters)
category_lines = {
    "one": "rossi bianchi romano colombo ricci marino greco bruno conti".split(),
    "two": "schmidt schneider fischer weber becker wagner schulz hoffmann koch".split(),
}
all_categories = list(category_lines)
random.seed(0)
torch.manual_seed(0)


def letterToIndex(letter):
    return all_letters.find(letter)


def lineToTensor(line):
    tensor = torch.zeros(len(line), 1, n_letters)
    for li, letter in enumerate(line):
        tensor[li][0][letterToIndex(letter)] = 1
    return tensor


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(RNN, self).__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        hidden = torch.tanh(self.i2h(input) + self.h2h(hidden))
        output = self.h2o(hidden)
        output = self.softmax(output)
        return output, hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


rnn = RNN(n_letters, 24, len(all_categories))
criterion = nn.NLLLoss()
learning_rate = 0.02


def categoryFromOutput(output):
    top_n, top_i = output.topk(1)
    category_i = top_i[0].item()
    return all_categories[category_i], category_i


def train(category_tensor, line_tensor):
    hidden = rnn.initHidden()
    rnn.zero_grad()
    for i in range(line_tensor.size()[0]):
        output, hidden = rnn(line_tensor[i], hidden)
    loss = criterion(output, category_tensor)
    loss.backward()
    for p in rnn.parameters():
        p.data.add_(p.grad.data, alpha=-learning_rate)
    return output, loss.item()


for iteration in range(1, 601):
    category = random.choice(all_categories)
    line = random.choice(category_lines[category])
    category_tensor = torch.tensor([all_categories.index(category)], dtype=torch.long)
    train(category_tensor, lineToTensor(line))
confusion = torch.zeros(len(all_categories), len(all_categories))
for category, lines in category_lines.items():
    for line in lines:
        with torch.no_grad():
            hidden = rnn.initHidden()
            for letter in lineToTensor(line):
                output, hidden = rnn(letter, hidden)
        guess, guess_i = categoryFromOutput(output)
        confusion[all_categories.index(category)][guess_i] += 1
for i in range(len(all_categories)):
    confusion[i] = confusion[i] / confusion[i].sum()
print("tells them apart:", confusion.diagonal().min().item() > 0.85)
