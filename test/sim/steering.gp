# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The plot of make sim-steering: gnuplot -c steering.gp DATA PNG
data = ARG1
set terminal pngcairo size 1200,1300 font "sans,11"
set output ARG2
set multiplot layout 4,1 title "Steering: one course of load under each policy" font "sans,14"
set lmargin 9
set rmargin 16
set key outside right center
set xrange [0:120]
set grid xtics ytics lc rgb "#dddddd"
do for [shift = 1:4] { set arrow shift from shift*15, graph 0 to shift*15, graph 1 nohead lc rgb "#888888" dt 3 }

set title "Lowest score of an address (dotted: the load shifts; it stays the same after the last)"
set yrange [0:105]
plot 70 w l lc rgb "#000000" dt 2 t "threshold", \
     data index 0 u 1:2 w l lw 1.5 lc rgb "#999999" t "off", \
     data index 1 u 1:2 w l lw 1.5 lc rgb "#d1495b" t "naive", \
     data index 3 u 1:2 w l lw 2 lc rgb "#00798c" t "enforce"

set title "Subscribers moved in an interval"
set yrange [0:27]
plot data index 1 u 1:3 w steps lw 1 lc rgb "#d1495b" t "naive", \
     data index 3 u 1:3 w steps lw 1.5 lc rgb "#00798c" t "enforce"

set yrange [0:2]
set title "Port blocks wanted by the subscribers of each address (1: all it has): enforce"
plot for [k = 4:15] data index 3 u 1:k w l lw 1 notitle

set title "The same: naive"
set xlabel "minutes"
plot for [k = 4:15] data index 1 u 1:k w l lw 1 notitle
unset multiplot
