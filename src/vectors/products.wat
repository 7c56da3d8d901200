;; Which of many byte vectors are near one of three queries of 16-bit numbers. A vector is a whole number of 16 bytes long.
;; Nearness is the product of vector and query times the vector's scale.
(module
  (import "kvshare" "memory" (memory 1))
  (func (export "findNear")
    (param $vectors i32)  ;; [count][stride] i8
    (param $count i32)
    (param $stride i32)
    (param $queries i32)  ;; [3][stride] i16
    (param $scales i32)   ;; [count] f32
    (param $least i32)    ;; [4] f32, the last one is that of the third query again
    (param $near i32)     ;; [result][4] f32: nearness to each query, number of the vector
    (result i32)
    (local $end i32) (local $stop i32) (local $at i32) (local $found i32)
    (local $a i32) (local $b i32) (local $c i32)
    (local $bytes v128) (local $low v128) (local $high v128)
    (local $sumA v128) (local $sumB v128) (local $sumC v128)
    (local.set $end (i32.add (local.get $vectors) (i32.mul (local.get $count) (local.get $stride))))
    (block $done
      (br_if $done (i32.ge_u (local.get $vectors) (local.get $end)))
      (loop $vector
        (local.set $stop (i32.add (local.get $vectors) (local.get $stride)))
        (local.set $a (local.get $queries))
        (local.set $b (i32.add (local.get $a) (i32.shl (local.get $stride) (i32.const 1))))
        (local.set $c (i32.add (local.get $b) (i32.shl (local.get $stride) (i32.const 1))))
        (local.set $sumA (v128.const i32x4 0 0 0 0))
        (local.set $sumB (v128.const i32x4 0 0 0 0))
        (local.set $sumC (v128.const i32x4 0 0 0 0))
        (loop $piece
          (local.set $bytes (v128.load (local.get $vectors)))
          (local.set $low (i16x8.extend_low_i8x16_s (local.get $bytes)))
          (local.set $high (i16x8.extend_high_i8x16_s (local.get $bytes)))
          (local.set $sumA (i32x4.add (local.get $sumA)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $low) (v128.load (local.get $a)))
              (i32x4.dot_i16x8_s (local.get $high) (v128.load offset=16 (local.get $a))))))
          (local.set $sumB (i32x4.add (local.get $sumB)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $low) (v128.load (local.get $b)))
              (i32x4.dot_i16x8_s (local.get $high) (v128.load offset=16 (local.get $b))))))
          (local.set $sumC (i32x4.add (local.get $sumC)
            (i32x4.add
              (i32x4.dot_i16x8_s (local.get $low) (v128.load (local.get $c)))
              (i32x4.dot_i16x8_s (local.get $high) (v128.load offset=16 (local.get $c))))))
          (local.set $a (i32.add (local.get $a) (i32.const 32)))
          (local.set $b (i32.add (local.get $b) (i32.const 32)))
          (local.set $c (i32.add (local.get $c) (i32.const 32)))
          (local.set $vectors (i32.add (local.get $vectors) (i32.const 16)))
          (br_if $piece (i32.lt_u (local.get $vectors) (local.get $stop))))
        ;; [a0+a2, a1+a3, b0+b2, b1+b3] and [c0+c2, c1+c3, c2+c0, c3+c1], then [a, b, c, c]
        (local.set $low (i32x4.add
          (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $sumA) (local.get $sumB))
          (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $sumA) (local.get $sumB))))
        (local.set $high (i32x4.add (local.get $sumC)
          (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $sumC) (local.get $sumC))))
        (local.set $low (i32x4.add
          (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $low) (local.get $high))
          (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $low) (local.get $high))))
        (local.set $low (f32x4.mul
          (f32x4.convert_i32x4_s (local.get $low))
          (v128.load32_splat (i32.add (local.get $scales) (i32.shl (local.get $at) (i32.const 2))))))
        (if (v128.any_true (f32x4.ge (local.get $low) (v128.load (local.get $least))))
          (then
            (v128.store (local.get $near)
              (f32x4.replace_lane 3 (local.get $low) (f32.convert_i32_u (local.get $at))))
            (local.set $near (i32.add (local.get $near) (i32.const 16)))
            (local.set $found (i32.add (local.get $found) (i32.const 1)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $vector (i32.lt_u (local.get $vectors) (local.get $end)))))
    (local.get $found)))
