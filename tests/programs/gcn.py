"""A graph convolutional network: an adjacency matrix, weights from FloatTensor, masks, accuracy."""

import math
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.nn.modules.module import Module
from torch.nn.parameter import Parameter


class GraphConvolution(Module):
    def __init__(self, in_features, out_features, bias=True):
        super(GraphConvolution, self).__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.FloatTensor(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        output = torch.spmm(adj, support)
        return output + self.bias if self.bias is not None else output

    def __repr__(self):
        return self.__class__.__name__ + " (" + str(self.in_features) + " -> " + str(self.out_features) + ")"


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout):
        super(GCN, self).__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gc2 = GraphConvolution(nhid, nclass)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, self.dropout, training=self.training)
        x = self.gc2(x, adj)
        return F.log_softmax(x, dim=1)


np.random.seed(42)
torch.manual_seed(42)
n = 60
labels = np.arange(n) % 3
edges = (np.random.rand(n, n) < np.where(labels[:, None] == labels, 0.2, 0.01)).astype(np.float32)
adj = np.maximum(edges, edges.T) + np.eye(n, dtype=np.float32)
adj = torch.FloatTensor(adj / adj.sum(1, keepdims=True))
features = torch.FloatTensor(np.eye(3)[labels] + np.random.randn(n, 3))
labels = torch.LongTensor(labels)
order = np.random.permutation(n)
idx_train, idx_test = torch.LongTensor(order[:20]), torch.LongTensor(order[20:])
model = GCN(nfeat=features.shape[1], nhid=8, nclass=labels.max().item() + 1, dropout=0.3)
optimizer = optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)


def accuracy(output, labels):
    preds = output.max(1)[1].type_as(labels)
    correct = preds.eq(labels).double()
    return correct.sum() / len(labels)


t_total = time.time()
for epoch in range(100):
    model.train()
    optimizer.zero_grad()
    output = model(features, adj)
    loss_train = F.nll_loss(output[idx_train], labels[idx_train])
    loss_train.backward()
    optimizer.step()
model.eval()
print(model.gc1, "right:", bool(accuracy(model(features, adj)[idx_test], labels[idx_test]) > 0.85), time.time() > t_total)
